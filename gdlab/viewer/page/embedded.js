// The entry of a page that holds its messages itself: a report, a notebook.

import { embeddedSource } from "./data.js";
import { mount } from "./main.js";

// Mounts a viewer on each element that names, in `data-messages`, the <script> with its messages.
export function mountEmbedded() {
  for (const element of document.querySelectorAll("[data-messages]")) {
    const text = document.getElementById(element.dataset.messages).textContent;
    mount(element, embeddedSource(JSON.parse(text)), {});
  }
}
