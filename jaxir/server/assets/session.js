/* The photos that this server has, the newest first; `look(id)` is called for the one that is wanted. */

import { ended, line, percent } from "./progress.js";

export function makeSession(look) {
  const [history, list] = ["history", "jobs"].map((id) => document.getElementById(id));

  function show(jobs, looked) {
    history.hidden = !jobs.length;
    const waiting = jobs.filter((job) => !ended(job));
    const items = [...jobs].reverse().map((job) => {
      const old = list.querySelector(`[data-id="${job.id}"]`) ?? item(job.id);
      const button = old.firstChild;
      button.querySelector("bdi").textContent = job.photo.name;
      button.querySelector("small").textContent = line(job, waiting.indexOf(job));
      const bar = button.querySelector("progress");
      bar.hidden = job.status !== "running";
      bar.value = job.total ? percent(job) : 0;
      button.setAttribute("aria-current", job.id === looked);
      button.dataset.status = job.status;
      return old;
    });
    const same = items.length === list.childElementCount && items.every((each, i) => each === list.children[i]);
    if (!same) list.replaceChildren(...items); // else what has the focus keeps it
  }

  function item(id) {
    const node = document.createElement("li");
    node.dataset.id = id;
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const picture = Object.assign(document.createElement("img"), { src: `/jobs/${id}/thumbnail`, alt: "" });
    const bar = Object.assign(document.createElement("progress"), { max: 100 });
    bar.setAttribute("aria-hidden", "true");
    const text = document.createElement("span");
    text.append(document.createElement("bdi"), document.createElement("small"), bar);
    button.append(picture, text);
    button.addEventListener("click", () => look(id));
    node.append(button);
    return node;
  }

  return { show };
}
