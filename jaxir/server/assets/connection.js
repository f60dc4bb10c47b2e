/* What happens on the server, as it happens, and a line where nothing can be heard of it.

   A browser allows few connections to a server, and each page holds one: a page that is not seen gives it back. */

const AGAIN = 2000; // milliseconds until the next try

/* `tell(jobs)` is called with the state of all jobs, now and after each change; `line` shows what is wrong. */
export function connect(line, tell) {
  let events = null;
  let due = 0;

  function say(words) {
    line.textContent = words;
    line.hidden = !words;
  }

  function close() {
    clearTimeout(due);
    events?.close();
    events = null;
  }

  function open() {
    close();
    const own = (events = new EventSource("/events"));
    own.addEventListener("open", () => say(""));
    own.addEventListener("message", ({ data }) => tell(JSON.parse(data)));
    own.addEventListener("error", async () => {
      own.close();
      const words = await why();
      if (own !== events) return; // the page was hidden meanwhile
      say(words);
      due = setTimeout(open, AGAIN);
    });
  }

  const turn = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", turn);
  turn();
}

/* A stream that ended does not say why: an answer does. */
async function why() {
  try {
    const { status } = await fetch("/limits");
    return status === 403 ? "The server was started again: open the address that it printed now." : "";
  } catch {
    return "The server does not answer: is jaxir serve still running?";
  }
}
