// Loads the page anew when a file of it did not arrive: a browser drops what it is fetching when its network changes. The
// address says all that the page shows. Each try waits longer. Not a module: it must be there when a module fails.
(function () {
  var MOST = 7,
    SPAN = 60000,
    SOON = 250; // tries in a time, and milliseconds
  var waiting = false;
  function say(text) {
    var place = document.getElementById("app");
    if (place && !place.querySelector(":not(noscript)")) place.textContent = text;
  }
  function again() {
    if (waiting) return;
    var times,
      now = Date.now();
    try {
      times = JSON.parse(sessionStorage.getItem("reloads") || "[]").filter(function (at) {
        return now - at < SPAN;
      });
      sessionStorage.setItem("reloads", JSON.stringify(times.concat(now)));
    } catch (error) {
      times = { length: MOST };
    } // without a memory it might never end
    if (times.length >= MOST)
      return say(
        "This page could not be fetched: a file of it did not arrive. Load it again when the server can be reached.",
      );
    waiting = true;
    say("A file of this page did not arrive. Trying again…");
    setTimeout(function () {
      location.reload();
    }, SOON * Math.pow(2, times.length));
  }
  addEventListener(
    "error",
    function (event) {
      // errors of loading do not bubble
      var missed = event.target;
      if (missed instanceof HTMLScriptElement || (missed instanceof HTMLLinkElement && missed.rel === "stylesheet"))
        again();
    },
    true,
  );
  addEventListener("unhandledrejection", function (event) {
    if (/imported module|module script/i.test(event.reason && event.reason.message)) again();
  });
})();
