// What is wrong with a page that is open in a browser. `look` runs inside of the page, so it uses nothing outside of
// itself.

/** WCAG 2.2, 1.4.3: the least contrast between text and what is behind it. */
export const LEAST_CONTRAST = 4.5;

/** Lists of complaints by their kind, for a page that has plots of those titles with those labels across. */
export function look(expected, leastContrast) {
  const found = { scroll: [], plot: [], mark: [], overlap: [], outside: [], names: [], contrast: [], document: [] };
  const of = (element, selector) => [...element.querySelectorAll(selector)];
  const isWithin = (inner, outer, by) =>
    inner.left >= outer.left - by && inner.right <= outer.right + by && inner.top >= outer.top - by &&
    inner.bottom <= outer.bottom + by;
  /** Parts of a pixel are rounding. */
  const ROUNDING = 1;

  /** Red, green, blue and opacity of a colour, as browsers compute it. */
  const channels = (colour) => {
    const numbers = (colour.match(/[\d.]+/g) ?? []).map(Number);
    return colour === "none" || numbers.length < 3 ? [0, 0, 0, 0] : [...numbers, 1].slice(0, 4);
  };
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  /** What is painted behind an element; behind all of them is the canvas. */
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (channels(colour)[3] === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const colourOf = (element) => {
    const style = getComputedStyle(element);
    return element.closest("svg") ? style.fill : style.color;
  };
  const isShown = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
    element.getBoundingClientRect().width > 0;

  if (document.documentElement.lang !== "en") found.document.push("the language is not said");
  if (document.title.trim() === "") found.document.push("there is no title");

  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) found.scroll.push(`${scrollWidth} px are wider than ${clientWidth}`);

  const figures = of(document, "figure");
  if (figures.length !== expected.length) found.plot.push(`${figures.length} plots`);
  for (const [place, { title, across, names }] of expected.entries()) {
    const figure = figures[place];
    const svg = figure?.querySelector("svg");
    const has = (selector, text) => of(svg, selector).some((label) => isShown(label) && label.textContent === text);
    if (!svg || !isShown(svg)) {
      found.plot.push(`${title}: there is none`);
      continue;
    }
    const caption = figure.querySelector("figcaption");
    if (caption?.textContent !== title || !isShown(caption)) found.plot.push(`${title}: no such title`);
    if (!has("text", across)) found.plot.push(`${title}: no ${across} across`);
    if (!has("text", "dollars a month")) found.plot.push(`${title}: no dollars upwards`);
    for (const name of names) if (!has("text.name", name)) found.plot.push(`${title}: no ${name}`);

    const frame = svg.getBoundingClientRect();
    const isSeen = (mark) => {
      const { fill } = getComputedStyle(mark);
      const isPainted = channels(fill)[3] > 0.5 && contrast(fill, behind(svg)) > 1.5;
      return isShown(mark) && isPainted && isWithin(mark.getBoundingClientRect(), frame, ROUNDING);
    };
    const marks = of(svg, ".mark");
    const hidden = marks.filter((mark) => !isSeen(mark)).length;
    if (marks.length === 0 || hidden > 0) found.mark.push(`${title}: ${hidden} of ${marks.length} marks are not seen`);

    const labels = of(svg, "text").map((label) => [label.textContent, label.getBoundingClientRect()]);
    for (const [at, [text, box]] of labels.entries()) {
      if (!isWithin(box, frame, ROUNDING)) found.outside.push(`${title}: ${text}`);
      for (const [other, second] of labels.slice(0, at)) {
        const width = Math.min(box.right, second.right) - Math.max(box.left, second.left);
        const height = Math.min(box.bottom, second.bottom) - Math.max(box.top, second.top);
        if (width > ROUNDING && height > ROUNDING) found.overlap.push(`${title}: ${other} and ${text}`);
      }
    }
  }

  const rows = of(document, "tbody tr");
  const wanted = new Set(expected.flatMap(({ names }) => names));
  for (const name of wanted) {
    const cell = rows.map((row) => row.cells[0]).find((cell) => cell.textContent === name);
    const box = cell?.getBoundingClientRect();
    if (!box || !isShown(cell) || box.left < 0 || box.right > clientWidth) found.names.push(name);
  }

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (text.textContent.trim() === "" || !isShown(element)) continue;
    const [colour, ground] = [colourOf(element), behind(element)];
    // On what a text stands that lets it shine through is not known here, so no text of a page does.
    const ratio = channels(colour)[3] < 1 ? 0 : contrast(colour, ground);
    if (ratio < leastContrast) {
      found.contrast.push(`${text.textContent}: ${colour} on ${ground} is ${ratio.toFixed(2)}`);
    }
  }
  return found;
}
