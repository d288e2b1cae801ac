// Our own form while work is asked for: solves the puzzle while the person fills it in.
import { solve } from "./jawel-work.js";

const PATIENCE_MS = 15000;
const form = document.querySelector("form[data-wait]");
const button = form.querySelector("[type=submit]");
const status = form.querySelector("[role=status]");
const proof = document.createElement("input");
let work;

// Without a proof the form is sent as well: then it gets through as it does without scripts.
function begin() {
	const solved = () => solve().catch(() => "");
	const late = () => new Promise((give) => setTimeout(give, PATIENCE_MS, ""));
	return (work ||= Promise.race([solved(), late()]));
}

form.addEventListener("focusin", begin);
form.addEventListener("submit", async (event) => {
	event.preventDefault();
	button.disabled = true;
	status.textContent = form.dataset.wait;
	proof.type = "hidden";
	proof.name = "proof_of_work";
	proof.value = await begin();
	form.append(proof);
	form.submit();
});

// Who comes back to the page, as they left it, needs another proof.
addEventListener("pageshow", (event) => {
	if (!event.persisted) return;
	work = undefined;
	button.disabled = false;
	status.textContent = "";
	proof.remove();
});
