// Keeps the moving part of an addon's page current. Without it the page shows what was so when it was loaded.
const EVERY = 3000;
const part = document.getElementById("live");

async function renew() {
  if (document.hidden || !part.isConnected) return;
  try {
    const answer = await fetch(part.dataset.from, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const text = await answer.text();
    if (text !== part.dataset.text) part.innerHTML = part.dataset.text = text;
    part.classList.remove("stale");
  } catch {
    part.classList.add("stale");
  }
}

if (part) setInterval(renew, EVERY);
