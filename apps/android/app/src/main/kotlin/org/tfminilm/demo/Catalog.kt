package org.tfminilm.demo

import android.content.Context
import java.io.File
import java.io.IOException
import org.tfminilm.AssetFiles
import org.tfminilm.BundleException
import org.tfminilm.BundleFiles
import org.tfminilm.BundleManifest
import org.tfminilm.FolderFiles
import org.tfminilm.ModelBundle

/** The models that can be chosen. Manifests are read off the main thread. */
class Catalog(
    private val context: Context,
    private val store: BundleStore,
    private val disk: Worker,
) : Watched() {
    /** Null until the manifests are read. */
    var models: List<AvailableModel>? = null
        private set

    // Touched by the disk's thread alone.
    private var known = HashMap<String, Known>()

    val packed: List<String> by lazy { context.assets.list(FOLDER).orEmpty().toList() }

    operator fun get(name: String?): AvailableModel? = models?.find { it.name == name }

    /** Reads the manifests that are new. */
    fun refresh() = disk.execute {
        val found = read()
        onMain {
            models = found
            changed()
        }
    }

    fun delete(model: AvailableModel) {
        models = models?.minus(model)
        changed()
        disk.execute { store.delete(model.name) }
        refresh()
    }

    private fun read(): List<AvailableModel> {
        val before = known
        known = HashMap()
        val fromAssets = packed.map { name ->
            val stamp = listOf<Any>(name)
            known(before, stamp) { model(name, AssetFiles(context.assets, "$FOLDER/$name"), false) }
        }
        val fromFolders = store.folders().map { folder ->
            val manifest = File(folder, BundleManifest.FILE)
            val stamp = listOf<Any>(folder.path, manifest.lastModified(), manifest.length())
            known(before, stamp) { model(folder.name, FolderFiles(folder), true) }
        }
        return (fromAssets + fromFolders).filterNotNull()
    }

    private fun known(
        before: Map<String, Known>,
        stamp: List<Any>,
        read: () -> AvailableModel?,
    ): AvailableModel? {
        val key = stamp[0].toString()
        val entry = before[key]?.takeIf { it.stamp == stamp } ?: Known(stamp, read())
        known[key] = entry
        return entry.model
    }

    /** Null for a folder that is no bundle, which cannot be chosen. */
    private fun model(name: String, files: BundleFiles, isAdded: Boolean): AvailableModel? = try {
        val manifest = ModelBundle.manifest(files)
        val text = files.open(BundleManifest.FILE).use { it.readBytes().toString(Charsets.UTF_8) }
        AvailableModel(name, manifest, factsOf(text), isAdded, files)
    } catch (_: IOException) {
        null
    } catch (_: BundleException) {
        null
    } catch (_: StackOverflowError) {
        null
    }

    private class Known(val stamp: List<Any>, val model: AvailableModel?)

    private companion object {
        const val FOLDER = "bundles"
    }
}
