import { SluiceError } from '../../errors.ts'

/** One JSON document; errors as their code and message. */
export function asJson(value: object): string {
  const replaced = (_: string, item: unknown) =>
    item instanceof SluiceError ? { code: item.code, message: item.message } : item
  return `${JSON.stringify(value, replaced, 2)}\n`
}
