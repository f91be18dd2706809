import type { InputOf, OperationName } from './operations.ts'

/** A body format of the service's protocol. */
export interface Wire {
  readonly format: 'json' | 'cbor'
  readonly contentType: string
  /** @throws KinesisServiceError SerializationException */
  decode(body: Buffer): InputOf<OperationName>
  /** In parts, so that a large answer can be made of bytes encoded earlier. */
  encode(answer: object): readonly Uint8Array[]
}
