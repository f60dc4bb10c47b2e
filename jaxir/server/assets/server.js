/* The server's answers, or its one line of why not. */

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

export const read = (path) => answer(path);

export const send = (path, value = {}) =>
  answer(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

/* The body is the file itself; its name is only a word that goes along, without halves of letters. */
export function upload(file, name) {
  const words = name.slice(-500).replace(/\p{Surrogate}/gu, "");
  return answer(`/photos?name=${encodeURIComponent(words)}`, { method: "POST", body: file });
}
