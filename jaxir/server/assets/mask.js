/* What is broken, painted over the photo: strokes in its own pixels, so that the mask has its size and not the screen's.
   Who cannot paint chooses a file instead, or goes on with the mask that an earlier job had. */

export function makeMask(changed) {
  const ids = ["paint", "brush", "brush-size", "brush-undo", "brush-clear", "mask-file", "mask-browse", "mask-name"];
  const [canvas, panel, size, undo, clear, input, browse, name] = ids.map((id) => document.getElementById(id));
  let photo = { width: 1, height: 1 };
  let strokes = []; // {width, points: [[x, y]]} in pixels of the photo
  let drawing = null;
  let pointer = 0; // the finger that draws: others rest on the screen
  let file = null; // chosen in the place of strokes
  let kept = false; // whether the job that is tried again has a mask

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
    undo.disabled = !strokes.length;
    clear.disabled = empty();
    name.textContent = file ? file.name : kept && !strokes.length ? "The mask from before is used." : "";
  }

  const empty = () => !strokes.length && !file && !kept;

  function forget() {
    strokes = [];
    file = null;
    kept = false;
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.x) / box.width) * photo.width,
      ((event.clientY - box.y) / box.height) * photo.height,
    ];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || drawing) return;
    event.preventDefault();
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    file = null;
    kept = false;
    drawing = { width: width(), points: [at(event)] };
    strokes.push(drawing);
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing || event.pointerId !== pointer) return;
    drawing.points.push(at(event));
    show();
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => {
      if (!drawing || event.pointerId !== pointer) return;
      drawing = null;
      changed();
    });
  }
  undo.addEventListener("click", () => {
    strokes.pop();
    show();
    changed();
  });
  clear.addEventListener("click", () => {
    forget();
    show();
    changed();
  });
  browse.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (!input.files.length) return;
    forget();
    file = input.files[0];
    input.value = ""; // the same one may be chosen again
    show();
    changed();
  });
  new ResizeObserver(() => canvas.hidden || show()).observe(canvas);

  return {
    empty,
    begin({ width, height }, masked = false) {
      photo = { width, height };
      forget();
      kept = masked;
    },
    visible(wanted) {
      canvas.hidden = panel.hidden = !wanted;
      if (wanted) show();
    },
    /* The mask as a file, null for the one from before: white is known, black is broken. */
    file() {
      if (file || !strokes.length) return file;
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
