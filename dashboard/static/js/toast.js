// A short remark at the bottom of the page that goes by itself.
import { html, signal } from "./lib.js";

const text = signal("");
let timer = 0;

export function toast(message) {
  text.value = message;
  clearTimeout(timer);
  timer = setTimeout(() => {
    text.value = "";
  }, 1800);
}

export const Toast = () => html`
  <div class="toast" role="status" aria-live="polite" hidden=${!text.value}>
    ${text.value}
  </div>
`;
