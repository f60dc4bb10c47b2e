/* The server's answers, or its one line of why not. */

/* The cookie lets read only: what changes something has the token too, which came in the address that was opened. */
const TOKEN = "token";
const given = new URLSearchParams(location.search).get(TOKEN);
if (given) localStorage.setItem(TOKEN, given);

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: is jaxir serve still running?");
  }
  const value = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(sentence(value.error ?? `The server says ${response.status}.`));
  return value;
}

const sentence = (line) => line.charAt(0).toUpperCase() + line.slice(1);

const post = (path, body, headers = {}) =>
  answer(path, { method: "POST", body, headers: { Authorization: `Bearer ${localStorage.getItem(TOKEN)}`, ...headers } });

export const read = (path) => answer(path);

export const send = (path, value = {}) => post(path, JSON.stringify(value), { "Content-Type": "application/json" });

/* The body is the file itself; its name is only a word that goes along, without halves of letters. */
export function upload(path, file, name) {
  const words = name.slice(-500).replace(/\p{Surrogate}/gu, "");
  return post(`${path}?name=${encodeURIComponent(words)}`, file);
}
