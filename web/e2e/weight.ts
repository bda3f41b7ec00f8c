/** What a page weighs on the wire. */
import type { Page } from "@playwright/test";

/** Counts what `page` loads from now on, as gzip, and gives the sum in bytes with the heads of the answers. */
export async function weigh(page: Page, addresses: RegExp): Promise<() => number> {
  const protocol = await page.context().newCDPSession(page);
  await protocol.send("Network.enable");
  // Over https and on loopback browsers would take Brotli, which is smaller; the limit is for everybody.
  await protocol.send("Network.setExtraHTTPHeaders", { headers: { "accept-encoding": "gzip" } });
  const wanted = new Set<string>();
  let bytes = 0;
  protocol.on("Network.responseReceived", ({ requestId, response }) => {
    if (addresses.test(new URL(response.url).pathname)) wanted.add(requestId);
  });
  protocol.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (wanted.has(requestId)) bytes += encodedDataLength;
  });
  return () => bytes;
}

/** The pages and all that they consist of, without what they ask the server for. */
export const PAGES = /^\/($|d\/|assets\/)/;

/** What a first load may weigh, in bytes. */
export const FIRST_LOAD = 250_000;
