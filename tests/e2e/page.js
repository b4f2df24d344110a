// What a careful reader would check, told as JSON. Evaluated in the page.
(async () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const images = all("img");
  await Promise.all(images.map((image) => image.decode().catch(() => null)));

  // WCAG 2.2, relative luminance and contrast ratio.
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const colour = (text) => text.match(/[\d.]+/g).map(Number);
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = colour(getComputedStyle(at).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const ownText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const texts = all("body *").filter((element) =>
    ownText(element) && element.getClientRects().length && !element.closest("title, desc"));
  const contrasts = texts.map((element) => {
    const style = getComputedStyle(element);
    const ink = colour(element.closest("svg") ? style.fill : style.color);
    return [contrast(ink.slice(0, 3), background(element)), element.textContent.trim().slice(0, 40)];
  }).sort((a, b) => a[0] - b[0]);

  // Shapes against the page: 3 is enough (WCAG 2.2, 1.4.11).
  const paper = background(document.body);
  const shapes = all(".chart rect:not(.refused-time), .chart path:not(.faint)").map((shape) => {
    const style = getComputedStyle(shape);
    const ink = style.fill === "none" ? style.stroke : style.fill;
    return ink === "none" ? 99 : contrast(colour(ink).slice(0, 3), paper);
  });

  // What sticks out of the page and is not in a box that scrolls.
  const width = document.documentElement.clientWidth;
  const sticksOut = all("body *")
    .filter((element) => !element.closest(".scroll, pre, svg") && element.getBoundingClientRect().right > width + 1)
    .map((element) => element.outerHTML.slice(0, 120));

  // Names of classes must not run into the bars, nor charts out of their figure.
  const plot = document.querySelector(".bars");
  const clip = Number(document.querySelector(".bars .names")?.getAttribute("width"));
  const names = all(".bars .names text").map((text) => text.getBoundingClientRect())
    .map(({ left, width }) => left + Math.min(width, clip));
  const bars = all(".bars rect").map((rect) => rect.getBoundingClientRect());

  return {
    scrollWidth: document.documentElement.scrollWidth, clientWidth: width,
    innerWidth: window.innerWidth, sticksOut,
    images: images.length,
    broken: images.filter((image) => !image.naturalWidth).length,
    blurred: images.filter((image) => getComputedStyle(image).imageRendering !== "pixelated").length,
    withoutAlt: images.filter((image) => !image.alt.trim()).length,
    alts: new Set(images.map((image) => image.alt)).size,
    headings: all("h1, h2, h3, h4, h5, h6").map((heading) => Number(heading.tagName[1])),
    emptyHeadings: all("h1, h2, h3").filter((heading) => !heading.textContent.trim()).length,
    tables: all("table").length,
    withoutCaption: all("table").filter((table) => !table.caption?.textContent.trim()).length,
    withoutScope: all("th").filter((th) => !th.scope).length,
    scrollers: all(".scroll, pre").filter((box) => box.tabIndex !== 0 || !box.getAttribute("aria-label")).length,
    charts: all("svg[role=img]").length,
    withoutTitle: all("svg[role=img]").filter((svg) =>
      svg.getAttribute("aria-labelledby").split(" ").some((id) => !document.getElementById(id)?.textContent.trim())).length,
    ids: all("[id]").length - new Set(all("[id]").map((element) => element.id)).size,
    targets: all("a[href^='#']").filter((a) => !document.querySelector(a.getAttribute("href"))).length,
    mains: all("main").length, lang: document.documentElement.lang,
    viewport: document.querySelector("meta[name=viewport]")?.content ?? "",
    scripts: all("script").length,
    texts: contrasts.length, faintest: contrasts[0], faintestShape: Math.min(99, ...shapes),
    background: paper,
    barsFrom: bars.length ? Math.min(...bars.map((bar) => bar.left)) : 0,
    barsTo: bars.length ? Math.max(...bars.map((bar) => bar.right)) : 0,
    plotWidth: plot ? Math.max(...bars.map((bar) => bar.width)) : 0,
    namesTo: Math.max(0, ...names),
  };
})()
