package org.tfminilm

import java.io.File
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assume.assumeTrue

/** What Python wrote, see `verify/vectors.py`; the property `tfminilm.golden` is the folder. */
object Golden {
    private val folder: File? = System.getProperty("tfminilm.golden")?.let(::File)

    fun bundle(name: String): ModelBundle = ModelBundle.open(FolderFiles(file(name)))

    fun file(name: String): File {
        assumeTrue("run `make test-android`", folder != null)
        return File(folder, name)
    }

    fun rows(name: String): Sequence<JSONObject> =
        file(name).bufferedReader().lineSequence().map(::JSONObject)
}

fun JSONArray.ints() = IntArray(length()) { getInt(it) }

fun JSONArray.floats() = FloatArray(length()) { getDouble(it).toFloat() }
