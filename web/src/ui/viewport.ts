/**
 * Keeps the page as high as what is left above an on-screen keyboard, so that a toolbar at its foot stays in sight.
 * Browsers that resize the page for the keyboard themselves report the same height, and nothing happens.
 */
export function fitToKeyboard(): void {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const fit = () => {
    // Zooming in with two fingers also makes the visual viewport smaller; the page stays as it is then.
    if (viewport.scale > 1.01) return;
    document.documentElement.style.setProperty("--page-height", `${viewport.height}px`);
    // Safari scrolls the page away under the keyboard instead of making it smaller.
    if (viewport.offsetTop > 0) window.scrollTo(0, 0);
  };
  viewport.addEventListener("resize", fit);
  viewport.addEventListener("scroll", fit);
  fit();
}
