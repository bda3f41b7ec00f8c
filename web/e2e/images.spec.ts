/** Images that are pasted: as they are, made smaller, or refused with the reason. */
import { allAgree, expect, test, type Person } from "./people";
import type { DeltaOp } from "./server";

/** As src/editor/images.ts has it, in bytes. */
const LARGEST_IMAGE = 380 * 1024;

/** One pixel. What follows the end of a PNG is ignored by whoever draws it. */
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** Pastes a file of `size` bytes that begins with `base64`, as if it had been copied. */
async function pasteFile(person: Person, file: { name: string; type: string; base64: string; size: number }) {
  await person.sheet.evaluate((sheet, { name, type, base64, size }) => {
    const bytes = new Uint8Array(size);
    bytes.set(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], name, { type }));
    sheet.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, file);
}

/** Pastes a picture of noise, which no encoder makes small, as a PNG; gives its size in bytes. */
function pastePhoto(person: Person, width: number, height: number): Promise<number> {
  return person.sheet.evaluate(
    async (sheet, [across, down]) => {
      const canvas = new OffscreenCanvas(across, down);
      const context = canvas.getContext("2d");
      const pixels = new ImageData(across, down);
      // getRandomValues fills at most 64 KB at once.
      for (let at = 0; at < pixels.data.length; at += 65_536)
        crypto.getRandomValues(pixels.data.subarray(at, at + 65_536));
      for (let at = 3; at < pixels.data.length; at += 4) pixels.data[at] = 255;
      context?.putImageData(pixels, 0, 0);
      const blob = await canvas.convertToBlob({ type: "image/png" });
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([blob], "photo.png", { type: "image/png" }));
      sheet.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
      return blob.size;
    },
    [width, height] as const,
  );
}

function imageIn(content: DeltaOp[]): string {
  const found = content.map(({ insert }) => insert).find((insert) => typeof insert === "object");
  return typeof found?.image === "string" ? found.image : "";
}

test("an image of the largest size that fits goes in as it is", async ({ server, arrive }) => {
  const id = await server.create("Fitting", [{ insert: "before after\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await pasteFile(ana, { name: "pixel.png", type: "image/png", base64: PIXEL, size: LARGEST_IMAGE });
  await expect(ana.sheet.locator("img")).toHaveCount(1);
  await ana.hasSaved();
  await expect.poll(async () => imageIn(await server.content(id))).not.toBe("");
  const image = imageIn(await server.content(id));
  expect(image).toMatch(/^data:image\/png;base64,/);
  expect(Buffer.from(image.split(",")[1] ?? "", "base64")).toHaveLength(LARGEST_IMAGE);
});

test("a photo is made smaller until it fits, and lands where its place has moved to", async ({ server, arrive }) => {
  // The picture is made and encoded several times over, which is computing and no waiting.
  test.slow();
  const id = await server.create("Photo", [{ insert: "here\n" }]);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToEnd();
  expect(await pastePhoto(ana, 1400, 900)).toBeGreaterThan(3_000_000);
  await ben.goToStart();
  await ben.type("It was ");
  const image = ana.sheet.locator("img");
  await expect(image).toHaveCount(1, { timeout: 20_000 });
  await expect.poll(() => image.evaluate((drawn: HTMLImageElement) => drawn.naturalWidth)).toBeGreaterThan(300);
  await ben.sees("It was here");
  await Promise.all([ana.hasSaved(), ben.hasSaved()]);
  await expect.poll(async () => imageIn(await server.content(id))).not.toBe("");
  const content = await server.content(id);
  expect(content.map(({ insert }) => (typeof insert === "string" ? insert : "*")).join("")).toBe("It was here*\n");
  expect(imageIn(content).length).toBeLessThan(512 * 1024);
});

test("what cannot be made smaller is refused by name, with the reason", async ({ server, arrive }) => {
  const id = await server.create("Refused", [{ insert: "text\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  const size = LARGEST_IMAGE + 1;
  await pasteFile(ana, { name: "cat.gif", type: "image/gif", base64: "R0lGODlh", size });
  await expect(ana.page.getByText("“cat.gif” is larger than 380 KB, and made smaller it would stand")).toBeVisible();
  await pasteFile(ana, { name: "torn.jpg", type: "image/jpeg", base64: "/9j/", size });
  await expect(ana.page.getByText("“torn.jpg” cannot be read as an image. It was not inserted.")).toBeVisible();
  expect(await allAgree(server, id, [ana])).toBe("text\n");
});

test("an image within pasted text that is too large is not taken for a document that is full", async ({
  server,
  arrive,
}) => {
  const id = await server.create("Pasted", [{ insert: "text\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.sheet.evaluate((sheet) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/html", `<p>words <img src="data:image/png;base64,${"A".repeat(600_000)}"></p>`);
    sheet.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });
  await expect(ana.page.getByText("is larger than 512 KB, which cannot be sent. Nothing was inserted.")).toBeVisible();
  expect(await allAgree(server, id, [ana])).toBe("text\n");
});
