// Data blocks of the page: JSON with typed arrays whose bytes are sorted by weight and compressed (results/embed.py).
const TYPES = {
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i1: Int8Array, i4: Int32Array, f4: Float32Array, f8: Float64Array,
};

function block(name) {
  const element = document.getElementById("data-" + name);
  return element ? JSON.parse(element.textContent) : null;
}

async function unpack(packed) {
  const compressed = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const type = TYPES[packed.type];
  const size = type.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane++)
    for (let i = 0; i < packed.n; i++) bytes[i * size + plane] = planes[plane * packed.n + i];
  return new type(bytes.buffer);
}

async function unpackAll(columns) {
  const found = {};
  for (const name of Object.keys(columns)) found[name] = await unpack(columns[name]);
  return found;
}
