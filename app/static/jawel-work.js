// Proof of work, by the browser's own cryptography: altcha's puzzles of version 2 with PBKDF2/SHA-256. No dependency.
const AT_ONCE = 8;
const MOST = 5000;
const url = (path) => new URL("../" + path, import.meta.url).href;
const bytes = (hex) => Uint8Array.from(hex.match(/../g), (each) => parseInt(each, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (each) => each.toString(16).padStart(2, "0")).join("");

async function derive({ nonce, salt, cost, keyLength }, counter) {
	const password = new Uint8Array([...bytes(nonce), 0, 0, 0, 0]);
	new DataView(password.buffer).setUint32(password.length - 4, counter);
	const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
	const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
	return hex(await crypto.subtle.deriveBits(how, key, 8 * keyLength));
}

// What goes into the field proof_of_work. Rejects where there is no puzzle, or none that can be solved here.
export async function solve() {
	const challenge = await (await fetch(url("challenge"))).json();
	const { parameters } = challenge;
	for (let first = 0; first < MOST; first += AT_ONCE) {
		const counters = Array.from({ length: AT_ONCE }, (_, each) => first + each);
		const keys = await Promise.all(counters.map((each) => derive(parameters, each)));
		const found = keys.findIndex((each) => each.startsWith(parameters.keyPrefix));
		if (found < 0) continue;
		const solution = { counter: first + found, derivedKey: keys[found] };
		return btoa(JSON.stringify({ challenge, solution }));
	}
	throw new Error("no solution");
}

// For jawel.js. A site without https has no cryptography: from there the form goes to our own page, which asks once more.
export async function prove(form, body) {
	try {
		body.proof_of_work = await solve();
	} catch (error) {
		if (form.action !== url("subscribe")) throw error;
		HTMLFormElement.prototype.submit.call(form);
		await new Promise(() => {});
	}
}
