/** Elements by name; undefined ones are left out, lists repeat the element. */
export interface XmlFields {
  readonly [name: string]: string | number | boolean | undefined | XmlFields | readonly XmlFields[]
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

export function document(root: string, fields: XmlFields): Buffer {
  const attribute = root === 'Error' ? '' : ` xmlns="${NAMESPACE}"`
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${inner(fields)}</${root}>`,
  )
}

/** Texts of all elements of that name, wherever they stand. */
export function textsOf(xml: string, element: string): readonly string[] {
  const pattern = new RegExp(`<${element}>([^<]*)</${element}>`, 'g')
  return [...xml.matchAll(pattern)].map(([, text = '']) => withoutEntities(text))
}

function inner(fields: XmlFields): string {
  return Object.entries(fields)
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => element(name, one)))
    .join('')
}

function element(name: string, value: Exclude<XmlFields[string], readonly XmlFields[]>): string {
  if (value === undefined) return ''
  return `<${name}>${typeof value === 'object' ? inner(value) : withEntities(String(value))}</${name}>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Control characters go as references, as S3 writes them, although XML 1.0 has no way to say them. */
function withEntities(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be escaped
    /[&<>"'\u0000-\u001f]/g,
    (character) => ENTITIES[character] ?? `&#x${character.charCodeAt(0).toString(16)};`,
  )
}

function withoutEntities(text: string): string {
  return text
    .replace(/&#(x?)([0-9a-f]+);/gi, (_, hex: string, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, hex === '' ? 10 : 16)),
    )
    .replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => {
      const found = Object.entries(ENTITIES).find(([, written]) => written === entity)
      return found?.[0] ?? entity
    })
}
