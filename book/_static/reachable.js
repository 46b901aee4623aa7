// What scrolls sideways can be scrolled by keyboard: it takes the focus, and says what it is. The
// theme sees to some of it when a page is loaded, but not to what is unfolded later.

function makeReachable() {
  const wide = "pre, .cell_output, .cell_output .output, .pst-scrollable-table-container";
  for (const box of document.querySelectorAll(wide)) {
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
    if (scrolls && box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "scrolls sideways");
    } else if (box.getAttribute("aria-label") === "scrolls sideways") {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}

window.addEventListener("load", makeReachable);
window.addEventListener("resize", makeReachable);
document.addEventListener("toggle", makeReachable, true); // a <details>; the event doesn't bubble
document.addEventListener("click", () => requestAnimationFrame(makeReachable)); // a folded box
