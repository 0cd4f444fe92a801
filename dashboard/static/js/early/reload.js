// Loads the page anew when a file of it did not arrive: a browser drops what it is fetching when its network changes.
// The address says all that the page shows. Each try waits longer. Not a module: it must be there when a module fails.
(() => {
  const MOST = 7; // tries in a span
  const SPAN = 60_000; // milliseconds
  const SOON = 250; // milliseconds until the first try
  let waiting = false;

  function say(text) {
    const place = document.getElementById("app");
    if (place && !place.querySelector(":not(noscript)")) place.textContent = text;
  }

  // How many tries were made in the last span. Without a memory of them there might be no end: then it is too many.
  function tries() {
    try {
      const now = Date.now();
      const times = JSON.parse(sessionStorage.getItem("reloads") || "[]").filter((at) => now - at < SPAN);
      sessionStorage.setItem("reloads", JSON.stringify([...times, now]));
      return times.length;
    } catch {
      return MOST;
    }
  }

  function again() {
    if (waiting) return;
    const before = tries();
    if (before >= MOST) {
      say("This page could not be fetched: a file of it did not arrive. Load it again when the server can be reached.");
      return;
    }
    waiting = true;
    say("A file of this page did not arrive. Trying again…");
    setTimeout(() => location.reload(), SOON * 2 ** before);
  }

  function failed({ target }) {
    const style = target instanceof HTMLLinkElement && target.rel === "stylesheet";
    if (style || target instanceof HTMLScriptElement) again();
  }

  addEventListener("error", failed, true); // errors of loading do not bubble
  addEventListener("unhandledrejection", (event) => {
    if (/imported module|module script/i.test(event.reason?.message)) again();
  });
})();
