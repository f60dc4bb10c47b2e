/* The page of a report: a photo gets its viewer when it comes near the screen, or is printed.

   The data of the photos stand behind this program, one after the other, and may still be on their way. */

(() => {
  "use strict";

  const wanted = new Set(); // sections that wait for their data

  function show(section) {
    const data = document.getElementById(section.dataset.entry);
    if (!data || (!data.nextElementSibling && document.readyState === "loading")) return wanted.add(section);
    wanted.delete(section);
    showResult(section.querySelector(".result"), JSON.parse(data.textContent));
    data.textContent = "";
  }

  const near = new IntersectionObserver(
    (changes) => {
      for (const change of changes) {
        if (!change.isIntersecting) continue;
        near.unobserve(change.target);
        show(change.target);
      }
    },
    { rootMargin: "600px" },
  );
  const sections = [...document.querySelectorAll(".photo")];
  sections.forEach((section) => near.observe(section));

  const arrivals = new MutationObserver(() => wanted.forEach(show));
  arrivals.observe(document.body, { childList: true });
  document.addEventListener("DOMContentLoaded", () => {
    arrivals.disconnect();
    wanted.forEach(show);
  });
  addEventListener("beforeprint", () => {
    for (const section of sections) if (section.querySelector(".result:empty")) show(section);
  });
})();
