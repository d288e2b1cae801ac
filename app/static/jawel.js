// Signup forms that answer in place: docs/embedding.md
{
// Next, label, end, failure.
const TEXTS = {
	nl: ["Nog één stap: kijk in je inbox", "Open de link in onze mail, of typ de code van 6 cijfers:", "Gelukt: je bent ingeschreven", "Dat lukte niet. Probeer het straks opnieuw."],
	fr: ["Dernière étape : consultez vos e-mails", "Ouvrez le lien de notre e-mail ou saisissez le code à 6 chiffres :", "C’est fait : votre inscription est confirmée", "Cela n’a pas fonctionné. Réessayez dans une minute."],
	de: ["Noch ein Schritt: Öffnen Sie Ihr Postfach", "Öffnen Sie den Link in unserer E-Mail oder geben Sie den 6-stelligen Code ein:", "Geschafft: Sie sind angemeldet", "Das hat nicht geklappt. Bitte versuchen Sie es gleich noch einmal."],
	en: ["One step left: look in your inbox", "Open the link in our mail, or type its 6-digit code here:", "Done: you are subscribed", "That did not work. Please try again in a minute."],
};
const { src } = document.currentScript;
const url = (path) => new URL("../" + path, src);

const make = (name, textContent, more) => Object.assign(document.createElement(name), { textContent, ...more });

// The answer, or nothing.
async function send(form, path, body) {
	const button = form.querySelector("button,[type=submit]");
	const headers = { "Content-Type": "application/json", "Accept-Language": form.lang };
	let errors;
	button.disabled = true;
	try {
		const answer = await fetch(url(path), { method: "POST", headers, body: JSON.stringify(body) });
		if (answer.ok) return answer;
		({ errors } = await answer.json());
		if (errors.proof_of_work && !body.proof_of_work) {
			await (await import(url("static/jawel-work.js"))).prove(form, body);
			return send(form, path, body);
		}
	} catch {
		errors = { "": [TEXTS[form.lang][3]] };
	}
	button.disabled = false;
	for (const note of form.querySelectorAll(".jawel")) note.remove();
	for (const field of form) field.removeAttribute("aria-invalid");
	for (const name of Object.keys(errors).reverse()) {
		const field = form.querySelector(`[name="${name}"]:not([type=hidden])`) || button;
		const note = make("p", errors[name].join(" "), { id: "jawel-" + name, className: "jawel" });
		note.setAttribute("role", "alert");
		(field.closest("label") || field).after(note);
		field.setAttribute("aria-describedby", note.id);
		field.setAttribute("aria-invalid", true);
		field.focus();
	}
}

const askForCode = (form, attempt, mail) => {
	const [title, text, done] = TEXTS[form.lang];
	const box = make("form", "", { className: "jawel", lang: form.lang, tabIndex: -1 });
	const label = make("label", text + " ");
	const code = make("input", "", { name: "code", inputMode: "numeric", autocomplete: "one-time-code", required: true });
	label.append(code);
	box.append(make("h2", title), make("p"), label, make("button", "OK"));
	if (mail) box.children[1].append(make("a", mail[2], { href: mail[1], rel: "noreferrer noopener" }));
	box.onsubmit = async (event) => {
		event.preventDefault();
		if (!(await send(box, "confirm/code", { attempt, code: code.value }))) return;
		box.replaceChildren(make("p", done));
		box.focus();
	};
	form.replaceWith(box);
	box.focus();
};

addEventListener("submit", async (event) => {
	const form = event.target;
	if (form.action != url("subscribe") && !("jawel" in form.dataset)) return;
	event.preventDefault();
	const data = new FormData(form);
	const tag = (data.get("language") || document.documentElement.lang).slice(0, 2);
	const slugs = data.getAll("newsletters").concat(data.getAll("newsletter"));
	const attempt = crypto.getRandomValues(new Uint32Array(5)).join("-");
	form.lang = tag in TEXTS ? tag : "en";
	const answer = await send(form, "subscribe", {
		email: data.get("email"),
		newsletters: slugs[0] && slugs,
		consent: /^(true|yes|on|1)$/i.test(data.get("consent")),
		language: form.lang,
		website: data.get("website") || "",
		attempt,
	});
	if (answer) askForCode(form, attempt, /<(.*)>.*"(.*)"/.exec(answer.headers.get("Link")));
});
}
