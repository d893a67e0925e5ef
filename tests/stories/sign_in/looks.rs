use e2e::{Browser, Look};

use super::pictures;

const LOOKS: [(&str, Look); 4] = [
    ("desk", Look { width: 1280, dark: false }),
    ("desk-dark", Look { width: 1280, dark: true }),
    ("phone", Look { width: 360, dark: false }),
    ("phone-dark", Look { width: 360, dark: true }),
];

/// The least contrast of text with what it stands on, and the smallest side of what is clicked on, of all that is seen.
const MEASURE: &str = r"
const channel = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const rgb = text => (text.match(/[\d.]+/g) || []).map(Number);
const light = c => 0.2126 * channel(c[0] / 255) + 0.7152 * channel(c[1] / 255) + 0.0722 * channel(c[2] / 255);
const ground = element => {
  for (let one = element; one; one = one.parentElement) {
    const found = rgb(getComputedStyle(one).backgroundColor);
    if (found.length === 3 && !getComputedStyle(one).backgroundColor.startsWith('color')) return found;
  }
  return [255, 255, 255];
};
const shown = element => element.getClientRects().length > 0 && !element.closest('[aria-hidden]');
for (const animation of document.getAnimations()) animation.finish();
let least = 21, worst = '';
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || !shown(element)) continue;
  const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < least) { least = contrast; worst = element.outerHTML.slice(0, 120); }
}
let smallest = 1000;
for (const element of document.querySelectorAll('button, a, input:not([type=hidden])')) {
  smallest = Math.min(smallest, element.getBoundingClientRect().height);
}
return { least, worst, smallest, wide: document.documentElement.scrollWidth - window.innerWidth };
";

/// Looks at the page that is open on a phone and on a desktop, in the light and in the dark, and keeps a picture of each.
/// It can be read, it fits, and a finger meets what it aims at.
pub(super) async fn looked_at(browser: &Browser, name: &str) -> anyhow::Result<()> {
    for (of, look) in LOOKS {
        browser.look(look).await?;
        let measured = browser.ask(MEASURE).await?;
        let at_least =
            |member: &str, least: f64| measured[member].as_f64().is_some_and(|found| found >= least);
        assert!(at_least("least", 4.5), "{name} {of}: {measured}");
        assert!(at_least("smallest", 43.5), "{name} {of}: {measured}");
        assert_eq!(measured["wide"], 0, "{name} {of} is as wide as its window");
        browser.picture(&pictures().join(format!("{name}-{of}.png"))).await?;
    }
    browser.look(LOOKS[0].1).await
}
