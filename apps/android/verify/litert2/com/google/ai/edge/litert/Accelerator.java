/* The signatures of LiteRT 2 that the library calls, as its documentation and
   its source have them. They are compiled against and never shipped. */
package com.google.ai.edge.litert;

public enum Accelerator { NONE, CPU, GPU, NPU }
