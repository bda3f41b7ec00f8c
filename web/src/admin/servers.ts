/** The servers that share one database; nothing is shown of one that is alone. */
import { el, setText } from "../dom";
import type { ListedServer } from "./api";
import { Table } from "./table";

export class Servers {
  private readonly missing = el("p", { class: "fault", role: "status" });
  private readonly table = new Table<ListedServer>(
    [
      { title: "Server", cell: ({ name }) => name },
      { title: "Address", cell: ({ url }) => url },
      { title: "State", cell: stateOf },
      { title: "Shards", number: true, cell: ({ shards }) => shards },
    ],
    ({ name }) => name,
    { label: "Servers", empty: "There is no other server." },
  );
  readonly element = el("section", { class: "of-several" }, el("h2", {}, "Servers"), this.table.element, this.missing);

  draw(servers: ListedServer[], missing: string[]): void {
    this.table.draw(servers);
    this.missing.hidden = missing.length === 0;
    setText(this.missing, `Not answered by ${missing.join(", ")}: what is in memory there is not shown.`);
  }
}

function stateOf({ alive, draining, silent_ms }: ListedServer): string {
  if (!alive) return silent_ms === undefined ? "silent" : `silent for ${Math.round(silent_ms / 1_000)} s`;
  return draining ? "draining" : "serving";
}
