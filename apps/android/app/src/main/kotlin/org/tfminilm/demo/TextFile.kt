package org.tfminilm.demo

import android.util.AtomicFile
import java.io.File
import java.io.IOException

/** A small file that is written whole or not at all. Not for the main thread. */
internal class TextFile(folder: File, name: String) {
    private val file = AtomicFile(File(folder, name))

    /** Null where there is none, or none that can be read. */
    fun read(): String? = try {
        file.readFully().toString(Charsets.UTF_8)
    } catch (_: IOException) {
        null
    }

    /** What cannot be written is lost: the device is full. */
    fun write(text: String) {
        val output = try {
            file.startWrite()
        } catch (_: IOException) {
            return
        }
        try {
            output.write(text.toByteArray())
            file.finishWrite(output)
        } catch (_: IOException) {
            file.failWrite(output)
        }
    }
}
