/** Pictures to be looked at. */
import type { Page } from "@playwright/test";

/** Takes pictures of what `page` shows now, in both themes; `ready` runs before each. */
export async function look(
  page: Page,
  name: string,
  ready: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const width = page.viewportSize()?.width ?? 0;
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await ready();
    await page.screenshot({
      path: `test-results/screens/${name}-${width}-${colorScheme}.png`,
      animations: "disabled",
    });
  }
}
