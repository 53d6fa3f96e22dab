/* The signatures of LiteRT 2 that the library calls, as its documentation and
   its source have them. They are compiled against and never shipped. */
package com.google.ai.edge.litert;

import android.content.res.AssetManager;
import java.util.Map;

public final class CompiledModel implements AutoCloseable {
    private CompiledModel() {}

    public static CompiledModel create(String filePath, Options options, Environment environment)
            throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public static CompiledModel create(
            AssetManager assets, String name, Options options, Environment environment)
            throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public TensorBuffer createInputBuffer(String name, String signature) throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public TensorBuffer createOutputBuffer(String name, String signature) throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public void run(
            Map<String, TensorBuffer> inputs, Map<String, TensorBuffer> outputs, String signature)
            throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() { throw new UnsupportedOperationException(); }

    public static final class Options {
        public Options(Accelerator... accelerators) { throw new UnsupportedOperationException(); }

        public void setCpuOptions(CpuOptions options) { throw new UnsupportedOperationException(); }
    }

    public static final class CpuOptions {
        public CpuOptions(Integer numThreads, Integer xnnPackFlags, String weightCachePath) {
            throw new UnsupportedOperationException();
        }
    }
}
