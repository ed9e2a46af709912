// The page.

// Fills an element with what a source has of runs.
export async function mount(element, source, options) {
  const catalogue = await source.ask("catalogue");
  const text = document.createElement("p");
  const runs = catalogue.problems.reduce((sum, problem) => sum + problem.runs, 0);
  text.textContent = `${runs} runs`;
  element.append(text);
}
