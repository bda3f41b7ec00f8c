/** A picture that authenticators read. It is made here: the secret in it goes to nobody. */
import encodeQR from "qr";

/** Light modules around the picture, which readers need. */
const QUIET = 4;

export function drawCode(text: string, label: string): SVGElement {
  const modules = encodeQR(text, "raw", { border: QUIET });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${modules.length} ${modules.length}`);
  svg.setAttribute("class", "qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const path = document.createElementNS(svg.namespaceURI, "path");
  const dark = modules.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x} ${y}h1v1h-1z`] : [])));
  path.setAttribute("d", dark.join(""));
  svg.append(path);
  return svg;
}
