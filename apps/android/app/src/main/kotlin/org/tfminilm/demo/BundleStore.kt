package org.tfminilm.demo

import java.io.File
import java.io.IOException

/**
 * The folders of the bundles that a user added.
 *
 * A folder appears, changes and goes in one step: what is interrupted leaves the
 * old bundle or the new one, and never half of one.
 */
class BundleStore(files: File) {
    private val folder = File(files, "bundles")
    private val staged = File(files, "bundles.new")
    private val replaced = File(files, "bundles.old")

    fun folders(): List<File> = folder.listFiles().orEmpty().filter { it.isDirectory }.sorted()

    operator fun contains(name: String) = File(folder, name).exists()

    /** Ends what was interrupted when the app was last closed. */
    fun recover() {
        staged.deleteRecursively()
        for (old in replaced.listFiles().orEmpty()) {
            val target = File(folder, old.name)
            if (target.exists() || !old.renameTo(target)) old.deleteRecursively()
        }
    }

    /** An empty folder, to be filled and installed. */
    fun stage(): File {
        staged.mkdirs()
        var number = 0
        while (true) {
            val place = File(staged, (number++).toString())
            if (place.mkdir()) return place
            if (number > MAX_STAGED) throw IOException("there is no room in ${staged.name}")
        }
    }

    /** Puts a filled folder in the place of this name, and of what was there. */
    fun install(filled: File, name: String): File {
        val target = File(folder, name)
        val aside = File(replaced, name)
        folder.mkdirs()
        replaced.mkdirs()
        aside.deleteRecursively()
        val isNew = !target.exists()
        if (!isNew && !target.renameTo(aside)) throw IOException("$name cannot be replaced")
        if (!filled.renameTo(target)) {
            if (!isNew) aside.renameTo(target)
            throw IOException("$name cannot be stored")
        }
        aside.deleteRecursively()
        return target
    }

    fun delete(name: String) {
        val place = stage()
        if (!File(folder, name).renameTo(File(place, "deleted"))) {
            File(folder, name).deleteRecursively()
        }
        place.deleteRecursively()
    }

    /** [name], or the first of `name 2`, `name 3` ... that is free. */
    fun free(name: String, isTaken: (String) -> Boolean): String =
        generateSequence(1) { it + 1 }.map { if (it == 1) name else "$name $it" }.first { !isTaken(it) }

    private companion object {
        const val MAX_STAGED = 1000
    }
}
