/** The mark: folded sheets, in the accent colour. */
const PATHS = [
  ["mark-back", "M4 8.5 16 4l12 4.5v15L16 28 4 23.5z"],
  ["mark-front", "M16 10.5 28 8.5v15L16 28z"],
] as const;

export function mark(): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 32 32");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, shape] of PATHS) {
    const path = document.createElementNS(svg.namespaceURI, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}
