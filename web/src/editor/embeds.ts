/**
 * Embeds that this page cannot draw (a video, a formula, another program's own) are shown as a small box with their
 * name: Quill would refuse the whole change, and the document would not be what everybody else sees.
 */
import type Delta from "quill-delta";
import Embed from "quill/blots/embed.js";
import Quill from "./formats";

/** Makes every embed of `content` known to Quill. To be called before Quill is given it. */
export function admitEmbeds(content: Delta): void {
  for (const { insert } of content.ops) {
    if (typeof insert !== "object") continue;
    const [name] = Object.keys(insert);
    if (name !== undefined && Quill.DEFAULTS.registry.query(name) === null)
      Quill.register(`formats/${name}`, boxFor(name), true);
  }
}

function boxFor(name: string): typeof Embed {
  return class UnknownEmbed extends Embed {
    static override blotName = name;
    // A name of its own: pasted <span>s must not be taken for it.
    static override tagName = "QUIRE-EMBED";
    static override className = `unknown-embed-${encodeURIComponent(name).replaceAll(/[^\w-]/g, "_")}`;

    static override create(value: unknown): Node {
      const node = super.create(value) as HTMLElement;
      node.classList.add("unknown-embed");
      node.textContent = name;
      node.title = `This page cannot show “${name}”. It stays in the document as it is.`;
      node.dataset.value = JSON.stringify(value);
      return node;
    }

    static override value(node: HTMLElement): unknown {
      return JSON.parse(node.dataset.value ?? "null");
    }
  };
}
