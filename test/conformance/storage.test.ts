import { join } from 'node:path'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import { temporaryDirectory } from '../checkpoint/temporary-directory.ts'
import { storageConformance } from './storage.ts'

storageConformance('on disk', {
  location: async () => join(await temporaryDirectory(), 'checkpoint'),
  open: async (location) => new DiskStorage(location),
})
