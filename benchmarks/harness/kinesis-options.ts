/** Options of a Kinesis source that reads the endpoint as fast as it can: the rates of a real shard are lifted. */
export function unpaced(url: string, stream: string): Record<string, string> {
  return {
    streamName: stream,
    region: 'us-east-1',
    endpointUrl: url,
    awsAccessKeyId: 'benchmark',
    awsSecretKey: 'benchmark',
    startingPosition: 'trim_horizon',
    fetchInterval: '0ms',
    maxBytesPerSecond: '1000GiB',
  }
}
