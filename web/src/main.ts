/** Shows the page that the address names. Pages are separate loads; what they share is cached for ever. */
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layers.css";
import { documentIdOf } from "./documents/entry";
import { identity } from "./identity";
import { applyLook } from "./settings";
import { signInPath } from "./sign-in/address";

applyLook();

const root = document.querySelector<HTMLElement>("#app");
if (!root) throw new Error("index.html has no #app");

// Asked for while the page itself is still on its way.
const known = identity.who().catch(() => undefined);

const id = documentIdOf(location.pathname);
switch (location.pathname) {
  case "/sign-in": {
    const { showSignIn } = await import("./sign-in/page");
    await showSignIn(root);
    break;
  }
  case "/reset": {
    const { showReset } = await import("./sign-in/reset");
    showReset(root);
    break;
  }
  case "/account": {
    const { showAccount } = await import("./account/page");
    await showAccount(root);
    break;
  }
  case "/admin": {
    const { AdminPage } = await import("./admin/page");
    new AdminPage(root);
    break;
  }
  default: {
    // One import each: the bundler finds the styles of a page by that.
    if (id === undefined) {
      const { show } = await import("./documents/page");
      if (await mayEnter()) show(root);
    } else {
      const { show } = await import("./editor/page");
      if (await mayEnter()) await show(root, id);
    }
  }
}

/** Where no guests are let in, the way leads through the sign-in page and back. A server that does not answer is told of by the page. */
async function mayEnter(): Promise<boolean> {
  if (await known) return true;
  const entrance = await identity.entrance().catch(() => undefined);
  if (entrance?.guests !== false) return true;
  location.replace(signInPath());
  return false;
}
