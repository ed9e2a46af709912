// TensorBoard's entry: it loads this module into an empty page and calls `render`.

import { serverSource } from "./data.js";
import { mount } from "./main.js";

const STYLES = ["style.css", "panels.css"];

// Shows the viewer on the whole page.
export async function render() {
  for (const name of STYLES) {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL(`./${name}`, import.meta.url).href;
    document.head.append(style);
  }
  document.title = "Trajectories";
  await mount(document.body, serverSource("."), {});
}
