/* What is broken, painted over the photo: strokes in its own pixels, so that the mask has its size and not the screen's. */

export function makeMask(changed) {
  const [canvas, panel, size, undo, clear] = ["paint", "brush", "brush-size", "brush-undo", "brush-clear"].map((id) =>
    document.getElementById(id),
  );
  let photo = { width: 1, height: 1 };
  let strokes = []; // {width, points: [[x, y]]} in pixels of the photo
  let drawing = null;

  /* A brush of 100 is a tenth of the photo's longest side. */
  const width = () => Math.max(1, (size.value / 1000) * Math.max(photo.width, photo.height));

  function draw(context, colour) {
    context.strokeStyle = colour;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of strokes) {
      context.lineWidth = stroke.width;
      context.beginPath();
      context.moveTo(...stroke.points[0]);
      for (const point of stroke.points) context.lineTo(...point);
      context.stroke();
    }
  }

  function show() {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.max(1, canvas.clientWidth * ratio);
    canvas.height = Math.max(1, canvas.clientHeight * ratio);
    const context = canvas.getContext("2d");
    context.scale(canvas.width / photo.width, canvas.height / photo.height);
    draw(context, "rgb(255 60 120)");
    undo.disabled = clear.disabled = !strokes.length;
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.x) / box.width) * photo.width,
      ((event.clientY - box.y) / box.height) * photo.height,
    ];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    drawing = { width: width(), points: [at(event)] };
    strokes.push(drawing);
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    drawing.points.push(at(event));
    show();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (drawing) changed();
      drawing = null;
    });
  }
  undo.addEventListener("click", () => {
    strokes.pop();
    show();
    changed();
  });
  clear.addEventListener("click", () => {
    strokes = [];
    show();
    changed();
  });
  new ResizeObserver(() => canvas.hidden || show()).observe(canvas);

  return {
    empty: () => !strokes.length,
    begin({ width, height }) {
      photo = { width, height };
      strokes = [];
    },
    visible(wanted) {
      canvas.hidden = panel.hidden = !wanted;
      if (wanted) show();
    },
    /* The mask as a PNG of the photo's size: white is known, black is broken. */
    file() {
      const whole = Object.assign(document.createElement("canvas"), photo);
      const context = whole.getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, photo.width, photo.height);
      draw(context, "#000");
      return new Promise((resolve, reject) =>
        whole.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The photo is too large to paint on here."))), "image/png"),
      );
    },
  };
}
