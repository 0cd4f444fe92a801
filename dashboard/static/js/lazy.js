// A page whose scripts are fetched when it is first opened. What fails is left to reload.js.
import { html, useEffect, useState } from "./lib.js";

export function Lazy({ load, name, ...rest }) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    let over = false;
    load().then(
      (module) => {
        if (!over) setFound({ Page: module[name] });
      },
      (error) => {
        if (!over) setFound({ problem: error.message });
        throw error;
      },
    );
    return () => {
      over = true;
    };
  }, []);
  if (!found)
    return html`
      <div class="page loading" aria-busy="true">
        Loading…
      </div>
    `;
  if (found.problem)
    return html`
      <div class="failure" role="alert">
        <h2>This page could not be fetched</h2>
        <p>${found.problem}</p>
        <button type="button" class="quiet" onClick=${() => location.reload()}>
          Load it again
        </button>
      </div>
    `;
  return html`<${found.Page} ...${rest} />`;
}
