/* The signatures of LiteRT 2 that the library calls, as its documentation and
   its source have them. They are compiled against and never shipped. */
package com.google.ai.edge.litert;

public final class TensorBuffer implements AutoCloseable {
    private TensorBuffer() {}

    public void writeInt(int[] data) throws LiteRtException { throw new UnsupportedOperationException(); }

    public float[] readFloat() throws LiteRtException { throw new UnsupportedOperationException(); }

    @Override
    public void close() { throw new UnsupportedOperationException(); }
}
