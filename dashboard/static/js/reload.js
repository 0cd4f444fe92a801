// Fetches the page anew when a file of it did not arrive: a laptop that changes networks drops what it is loading. Not a
// module: it must be there when a module fails. Each try waits twice as long; the page forgets the count when it begins.
(function () {
  var TRIES = 6, KEY = "reloads", waiting = false;
  function count(set) {
    try {
      if (set !== undefined) sessionStorage.setItem(KEY, set);
      return Number(sessionStorage.getItem(KEY)) || 0;
    } catch (error) { return TRIES; }  // no storage: never in a circle
  }
  function say(text) {
    var place = document.getElementById("app") || document.body;
    if (place) place.textContent = text;
  }
  function again(event) {
    var failed = event.target;
    if (waiting || !(failed instanceof HTMLScriptElement || (failed instanceof HTMLLinkElement && failed.rel === "stylesheet"))) return;
    waiting = true;
    var before = count();
    if (before >= TRIES) return say("This page could not be fetched: a file of it did not arrive. Load it again when the server can be reached.");
    say("A file of this page did not arrive. Trying again…");
    count(before + 1);
    setTimeout(function () { location.reload(); }, 250 * Math.pow(2, before));
  }
  addEventListener("error", again, true);  // errors of loading do not bubble
  addEventListener("begun", function () { count(0); });
})();
