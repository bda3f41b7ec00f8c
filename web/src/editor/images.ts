/**
 * Images that are pasted or dropped. They go into the document as they are, each as one embed, and an embed travels in
 * one piece: what is too large for that is drawn again, smaller, until it fits. A photo of 3 MB becomes one of 200 KB.
 */
import Delta from "quill-delta";
import type Quill from "quill/core.js";
import type { Range } from "quill/core.js";
import { showToast } from "../ui/toast";

/** Kinds that every browser shows. */
export const IMAGE_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/**
 * The largest file that goes in as it is, in bytes. As an address it grows by a third, to 507 KB of the 512 KB that the
 * client puts into one piece (`pieceLimits`); with more, the image would be refused.
 */
const LARGEST_IMAGE = 380 * 1024;

/** Longer sides to try, in px. The first one fills the sheet on a screen of double density. */
const SIDES = [1600, 1200, 900, 640, 400];
/** Of the encoder, from what nobody sees to what is still better than a smaller image. */
const QUALITIES = [0.85, 0.7];

/** Inserts `files` in the place of `range`, wherever that is by the time that they are ready. */
export async function insertImages(this: { quill: Quill }, range: Range, files: File[]): Promise<void> {
  const { quill } = this;
  let [start, end] = [range.index, range.index + range.length];
  const follow = (change: Delta) => {
    start = change.transformPosition(start);
    end = change.transformPosition(end);
  };
  quill.on("text-change", follow);
  const sources: string[] = [];
  try {
    // One after the other: a photo takes 50 MB while it is drawn.
    for (const file of files) {
      const source = await sourceOf(file);
      if (source !== undefined) sources.push(source);
    }
  } finally {
    quill.off("text-change", follow);
  }
  if (sources.length === 0) return;
  if (!quill.isEnabled()) {
    refuse("The document cannot be changed any more. No image was inserted.");
    return;
  }
  const change = new Delta().retain(start).delete(end - start);
  for (const source of sources) change.insert({ image: source });
  quill.updateContents(change, "user");
  quill.setSelection(start + sources.length, 0, "user");
}

/** The address to insert, or undefined if there is none; then the person has been told why. */
async function sourceOf(file: File): Promise<string | undefined> {
  if (file.size <= LARGEST_IMAGE) return addressOf(file);
  if (file.type === "image/gif") {
    refuse(`${named(file)} is larger than 380 KB, and made smaller it would stand still. It was not inserted.`);
    return undefined;
  }
  try {
    const smaller = await shrink(file);
    if (smaller) return await addressOf(smaller);
    refuse(`${named(file)} could not be made smaller than 380 KB. It was not inserted.`);
  } catch {
    refuse(`${named(file)} cannot be read as an image. It was not inserted.`);
  }
  return undefined;
}

/** Draws an image again, each time smaller, until it fits; undefined if it never does. */
async function shrink(file: File): Promise<Blob | undefined> {
  const image = await createImageBitmap(file);
  try {
    for (const side of SIDES) {
      const canvas = draw(image, side);
      for (const quality of QUALITIES) {
        const encoded = await encode(canvas, quality);
        if (encoded && encoded.size <= LARGEST_IMAGE) return encoded;
      }
    }
    return undefined;
  } finally {
    image.close();
  }
}

function draw(image: ImageBitmap, side: number): HTMLCanvasElement {
  const scale = Math.min(1, side / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** WebP, which keeps what is transparent; a browser that cannot write it gives a PNG instead, and JPEG is smaller. */
async function encode(canvas: HTMLCanvasElement, quality: number): Promise<Blob | null> {
  const webp = await toBlob(canvas, "image/webp", quality);
  return webp?.type === "image/webp" ? webp : toBlob(onPaper(canvas), "image/jpeg", quality);
}

/** JPEG would make black of what is transparent. */
function onPaper(canvas: HTMLCanvasElement): HTMLCanvasElement {
  const context = canvas.getContext("2d");
  if (context) {
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  return canvas;
}

function toBlob(canvas: HTMLCanvasElement, type: string, quality: number): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}

function addressOf(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("the image could not be read"));
    reader.readAsDataURL(file);
  });
}

function named({ name }: File): string {
  return name ? `“${name}”` : "The image";
}

function refuse(text: string): void {
  showToast({ text, fault: true });
}
