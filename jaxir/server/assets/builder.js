/* What spoiled the photo: a choice in plain words, its numbers, and the text that says the same to jaxir.

   A blur reaches beyond the border of the picture, so the scene is let go on there: `crop`. */

const noise = (value) => ({ label: "Noise", unit: "of white", value, min: 0, max: 1, step: "any" });
const pixels = (label, value, max) => ({ label, unit: "pixels", value, min: 0.1, max, step: "any" });

const CHOICES = [
  {
    name: "Find out",
    hint: "Noise, blur and JPEG are measured in the photo.",
    numbers: [],
    text: () => "auto",
  },
  {
    name: "Noise",
    hint: "Grain, as in a dark scene: 0.05 is plain to see, 0.2 is a lot.",
    numbers: [noise(0.1)],
    text: (sigma) => `noise(${sigma})`,
  },
  {
    name: "Shaken",
    hint: "The camera moved along a line. The angle is 0 for sideways and 90 for upwards.",
    numbers: [
      pixels("Length", 15, 200),
      { label: "Angle", unit: "degrees", value: 30, min: -180, max: 180, step: "any" },
      noise(0.02),
    ],
    text: (length, angle, sigma) => `motion(${length},${angle})|crop(${Math.ceil(length / 2)})|noise(${sigma})`,
  },
  {
    name: "Out of focus",
    hint: "Each point became a disc of this radius.",
    numbers: [pixels("Radius", 3, 50), noise(0.02)],
    text: (radius, sigma) => `defocus(${radius})|crop(${Math.ceil(radius)})|noise(${sigma})`,
  },
  {
    name: "Soft",
    hint: "A smooth blur: each point became a spot of this width.",
    numbers: [pixels("Width", 1.6, 30), noise(0.02)],
    text: (width, sigma) => `gaussian(${width})|crop(${Math.ceil(2 * width)})|noise(${sigma})`,
  },
  {
    name: "JPEG",
    hint: "It was saved at a low quality: 10 is very bad, 50 is common on the web.",
    numbers: [{ label: "Quality", unit: "of 100", value: 20, min: 1, max: 100, step: 1 }, noise(0.01)],
    text: (quality, sigma) => `jpeg(${quality})|noise(${sigma})`,
  },
  {
    name: "Too small",
    hint: "Enlarged so many times a side, with details that fit.",
    numbers: [{ label: "Enlarge", unit: "times", value: 2, options: [2, 3, 4] }, noise(0.01)],
    text: (factor, sigma) => `bicubic(${factor})|noise(${sigma})`,
  },
  {
    name: "Scratches",
    hint: "Paint over what is broken, or use a file that is black there and white elsewhere: it is filled in.",
    numbers: [noise(0.01)],
    text: (sigma) => `mask(painted)|noise(${sigma})`,
    paints: true,
  },
  {
    name: "In words",
    hint: "Stages from left to right, the noise last: motion(15,30)|crop(8)|noise(0.02)",
    numbers: [],
    text: null,
  },
];

const OWN = CHOICES.length - 1;

/* Fills the form, whose `input` events come when the text is up to date. */
export function makeBuilder() {
  const [choices, numbers, hint, text, error] = ["choices", "numbers", "hint", "text", "text-error"].map((id) =>
    document.getElementById(id),
  );
  let chosen = 0;

  const radios = CHOICES.map(({ name }, i) => {
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "choice", value: i });
    const label = document.createElement("label");
    label.append(radio, Object.assign(document.createElement("span"), { textContent: name }));
    radio.addEventListener("input", () => choose(i));
    choices.append(label);
    return radio;
  });

  function choose(i) {
    chosen = i;
    radios[i].checked = true;
    hint.textContent = CHOICES[i].hint;
    numbers.replaceChildren(...CHOICES[i].numbers.map(field));
    rewrite();
  }

  function field({ label, unit, value, options, ...bounds }) {
    const input = document.createElement(options ? "select" : "input");
    if (options) input.append(...options.map((option) => new Option(`${option}×`, option)));
    else Object.assign(input, { type: "number", inputMode: "decimal", required: true, ...bounds });
    input.value = value;
    input.addEventListener("input", rewrite);
    const words = document.createElement("label");
    const small = Object.assign(document.createElement("small"), { textContent: unit });
    words.append(`${label} `, input, small);
    return words;
  }

  function rewrite() {
    const values = [...numbers.querySelectorAll("input, select")].map((input) => Number(input.value));
    if (CHOICES[chosen].text) text.value = CHOICES[chosen].text(...values);
  }

  text.addEventListener("input", () => chosen === OWN || choose(OWN));
  choose(0);

  return {
    text: () => text.value,
    /* The choice that says these words with some numbers, or the words themselves. */
    tell(words) {
      const found = words.match(/-?\d+(\.\d+)?(e-?\d+)?/g) ?? [];
      for (const [i, choice] of CHOICES.entries()) {
        const count = choice.numbers.length;
        const values = count ? [...found.slice(0, count - 1), ...found.slice(-1)].map(Number) : [];
        if (i !== OWN && (values.length !== count || choice.text(...values) !== words)) continue;
        choose(i);
        [...numbers.querySelectorAll("input, select")].forEach((input, j) => (input.value = values[j]));
        break;
      }
      text.value = words;
    },
    focus: () => radios[chosen].focus({ preventScroll: true }),
    paints: () => Boolean(CHOICES[chosen].paints) || /\bmask\s*\(\s*painted\s*\)/.test(text.value),
    complain(line) {
      error.textContent = line;
      text.setAttribute("aria-invalid", Boolean(line));
    },
  };
}
