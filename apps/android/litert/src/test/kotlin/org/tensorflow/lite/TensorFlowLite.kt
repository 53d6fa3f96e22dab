package org.tensorflow.lite

/** Stands in for Android's: the version is the property `tfminilm.litert.version`. */
object TensorFlowLite {
    @JvmStatic
    fun runtimeVersion(): String = System.getProperty("tfminilm.litert.version")
}
