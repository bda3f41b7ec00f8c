/** Shows the page that the address names. Pages are separate loads; what they share is cached for ever. */
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layers.css";
import { documentIdOf } from "./documents/entry";
import { applyLook } from "./settings";

applyLook();

const root = document.querySelector<HTMLElement>("#app");
if (!root) throw new Error("index.html has no #app");

const id = documentIdOf(location.pathname);
if (location.pathname === "/admin") {
  const { AdminPage } = await import("./admin/page");
  new AdminPage(root);
} else if (id === undefined) {
  const { DocumentsPage } = await import("./documents/page");
  new DocumentsPage(root);
} else {
  const { showEditor } = await import("./editor/page");
  await showEditor(root, id);
}
