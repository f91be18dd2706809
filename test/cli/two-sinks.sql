-- Two queries over one stream.
CREATE STREAM numbers (n BIGINT) USING kinesis OPTIONS (streamName 'numbers', region 'us-east-1');
CREATE SINK low USING console AS SELECT n FROM numbers WHERE n < ${low};
CREATE SINK high USING console AS SELECT n FROM numbers WHERE n >= ${low};
