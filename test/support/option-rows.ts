import type { OptionTable } from '../../src/options.ts'

/** An option table as the Markdown that docs show; the docs' tests hold the pages against it. */
export function optionRows(table: OptionTable): string {
  const rows = Object.entries(table).map(([name, spec]) => {
    const given = spec.required ? 'required' : spec.default === undefined ? '' : `\`${spec.default}\``
    return `| \`${name}\` | ${spec.oneOf ? spec.oneOf.map((value) => `\`${value}\``).join(', ') : spec.kind} | ${given} | ${spec.doc} |`
  })
  return ['| option | kind | default | what |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
