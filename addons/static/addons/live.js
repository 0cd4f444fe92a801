// Keeps the moving parts of an addon's page current. Without it the page shows what was so when it was loaded.
const EVERY = 3000;
const part = (id) => document.getElementById(id);

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(part("live").dataset.from, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    for (const fresh of [...made.content.children])
      if (part(fresh.id).outerHTML !== fresh.outerHTML) part(fresh.id).replaceWith(fresh);
    configured(part("live").dataset.digest);
  } catch {
    part("live").classList.add("stale");
  }
}

const touched = (field) =>
  field.options
    ? [...field.options].some((one) => one.selected !== one.defaultSelected)
    : field.matches("textarea, input:not([type=hidden], [type=submit])") && field.value !== field.defaultValue;

// A configuration that was rolled back, or that somebody else wrote, is not shown as what it was: the form is loaded
// anew, unless that would lose what was entered.
function configured(digest) {
  const form = part("config");
  if (digest === form.elements.seen.value) return;
  if ([...form.elements].some(touched) || form.querySelector(".wrong") || document.querySelector(".errornote"))
    part("other").hidden = false;
  else location.replace(location.pathname);
}

if (part("live")) setInterval(renew, EVERY);
