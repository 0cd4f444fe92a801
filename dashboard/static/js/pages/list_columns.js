// The columns of a list, and their order on wide and on narrow screens.
import { clock } from "../socket.js";
import { cellText, fullMoment, since } from "../format.js";

const narrow = matchMedia("(max-width: 720px)");

// The columns of a list: namespace and name first, then what the kind prints, then the age.
export function columnsOf(list, { wide, chosen, manyNamespaces, measured, events }) {
  // Wide columns that show by themselves, and in which nothing stands, would only take room.
  const sample = [...list.rows.values()].slice(0, 300);
  const blank = (i) => sample.every((row) => ["", "<none>", "<unset>", null].includes(row.cells[i]));
  const own = list.columns
    .map((column, i) => ({ column, i }))
    .filter(({ column, i }) => !column.wide || (wide && (chosen || !blank(i))))
    .map(({ column, i }) => ({
      wide: column.wide,
      id: column.name.toLowerCase().replace(/\s+/g, "-"),
      title: column.name,
      tip: column.description,
      numeric: column.type === "integer" || column.type === "number",
      text: (row) => cellText(row.cells[i], clock.peek()),
      value: (row) => row.cells[i],
      durations: /\b(age|duration|last|since|uptime)\b/i.test(column.name),
      bounds: /message|note/i.test(column.name) ? [8, 40] : /images?|selector/i.test(column.name) ? [8, 70] : [4, 34],
    }));
  const growing = own.find((column) => column.id === "message");
  if (growing) growing.grow = true;
  const name = {
    id: "name",
    title: "Name",
    link: (row) => row.key,
    grow: !growing,
    text: (row) => row.name,
    sortKey: (row) => row.order,
    bounds: growing ? [12, 28] : narrow.matches ? [12, 21] : [18, 36],
  };
  const ns = {
    id: "namespace",
    title: "Namespace",
    text: (row) => row.ns,
    sortKey: (row) => row.ns,
    bounds: [9, 24],
  };
  const age = {
    id: "age",
    title: "Age",
    numeric: true,
    text: (row) => (row.created ? since(row.created, clock.peek()) : ""),
    value: (row) => -row.created,
    hint: (row) => fullMoment(row.created),
    bounds: [6, 8],
  };
  const where = manyNamespaces ? [ns] : [];
  if (events) return eventColumns(list.columns, own, { name, where, kinds: events });
  // The age stands before the wide columns, as in kubectl: it must not be the one that is pushed off the screen.
  const first = own.filter((column) => !column.wide);
  const wider = own.filter((column) => column.wide);
  const status = first.findIndex((column) => column.id === "status") + 1;
  first.splice(narrow.matches ? status : first.length, 0, ...measured);
  // On a narrow screen what an object does comes before where it is.
  return narrow.matches ? [name, ...first, ...where, age, ...wider] : [...where, name, ...first, age, ...wider];
}

// An event's own name and age say nothing: it is read by when, why, about what and how often, and leads to that object.
function eventColumns(_header, own, { name, where, kinds }) {
  const column = (id) => own.find((one) => one.id === id);
  const read = ["last-seen", "type", "reason", "object", "message"].map(column).filter(Boolean);
  const reason = column("reason");
  const object = column("object");
  if (reason) reason.link = (row) => row.key;
  if (object) object.link = (row) => about(row, object.text(row), kinds);
  if (object && narrow.matches) object.bounds = [8, 22];
  if (narrow.matches) return [reason, object, ...read, ...where].filter((one, i, all) => one && all.indexOf(one) === i);
  return [
    ...where,
    ...read,
    ...own.filter((one) => !read.includes(one)),
    ...(own.some((one) => one.wide) ? [name] : []),
  ];
}

// From "pod/web-1" to the object's key; null when its kind is not known here.
function about(row, text, kinds) {
  const [word, ...rest] = text.split("/");
  const kind = kinds.find((one) => one.kind.toLowerCase() === word);
  return kind ? [kind.storage, kind.namespaced ? row.ns : "", rest.join("/")] : null;
}
