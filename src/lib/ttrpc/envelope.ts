import protobuf from 'protobufjs';
import { allocateFrame, frameType, headerBytes } from './frame.ts';
import type { RpcStatus } from './status.ts';

/** What a request carries around the message itself. */
export interface RequestEnvelope {
  readonly service: string;
  readonly method: string;
  readonly payload: Uint8Array;
  /** 0 means that the caller waits for ever. */
  readonly timeoutNs: bigint;
}

export interface ResponseEnvelope {
  readonly status: RpcStatus;
  readonly payload: Uint8Array;
}

const nothing = new Uint8Array(0);

// Field tags: (number << 3) | wire type, 2 for bytes and 0 for a varint.
const requestTag = { service: 10, method: 18, payload: 26, timeoutNano: 32 } as const;
const responseTag = { status: 10, payload: 18 } as const;
const statusTag = { code: 8, message: 18 } as const;

/** A whole request frame. `timeoutMs` undefined leaves the deadline out. */
export function requestFrame(streamId: number, request: Pick<RequestEnvelope, 'service' | 'method' | 'payload'>, timeoutMs: number | undefined): Buffer {
  const writer = protobuf.Writer.create();
  writer.uint32(requestTag.service).string(request.service);
  writer.uint32(requestTag.method).string(request.method);
  if (request.payload.length > 0) writer.uint32(requestTag.payload).bytes(request.payload);
  if (timeoutMs !== undefined) writer.uint32(requestTag.timeoutNano).int64(Math.round(timeoutMs * 1e6));
  return framed(frameType.request, streamId, writer);
}

export function responseFrame(streamId: number, response: ResponseEnvelope): Buffer {
  const writer = protobuf.Writer.create();
  if (response.status.code !== 0) {
    writer.uint32(responseTag.status).fork();
    writer.uint32(statusTag.code).int32(response.status.code);
    writer.uint32(statusTag.message).string(response.status.message).ldelim();
  }
  if (response.payload.length > 0) writer.uint32(responseTag.payload).bytes(response.payload);
  return framed(frameType.response, streamId, writer);
}

function framed(type: number, streamId: number, writer: protobuf.Writer): Buffer {
  const frame = allocateFrame(type, streamId, writer.len);
  frame.set(writer.finish(), headerBytes);
  return frame;
}

/** @throws RangeError or Error when the bytes are no request. */
export function decodeRequest(bytes: Uint8Array): RequestEnvelope {
  const reader = protobuf.Reader.create(bytes);
  let [service, method, timeoutNs] = ['', '', 0n];
  let payload: Uint8Array = nothing;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === requestTag.service) service = reader.string();
    else if (tag === requestTag.method) method = reader.string();
    else if (tag === requestTag.payload) payload = reader.bytes();
    else if (tag === requestTag.timeoutNano) timeoutNs = BigInt(reader.int64().toString());
    else reader.skipType(tag & 7);
  }
  return { service, method, payload, timeoutNs };
}

/** @throws RangeError or Error when the bytes are no response. */
export function decodeResponse(bytes: Uint8Array): ResponseEnvelope {
  const reader = protobuf.Reader.create(bytes);
  let status: RpcStatus = { code: 0, message: '' };
  let payload: Uint8Array = nothing;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === responseTag.status) status = decodeStatus(reader.bytes());
    else if (tag === responseTag.payload) payload = reader.bytes();
    else reader.skipType(tag & 7);
  }
  return { status, payload };
}

function decodeStatus(bytes: Uint8Array): RpcStatus {
  const reader = protobuf.Reader.create(bytes);
  let [code, message] = [0, ''];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === statusTag.code) code = reader.int32();
    else if (tag === statusTag.message) message = reader.string();
    else reader.skipType(tag & 7);
  }
  return { code, message };
}
