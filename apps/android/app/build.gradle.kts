plugins {
    alias(libs.plugins.android)
}

android {
    namespace = "org.tfminilm.demo"
    compileSdk = libs.versions.targetSdk.get().toInt()

    defaultConfig {
        applicationId = "org.tfminilm.demo"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }

    // A compressed model cannot be mapped into memory.
    androidResources { noCompress += "tflite" }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    testOptions { unitTests.isIncludeAndroidResources = true }

    // The tests of all modules, as those of the screens use the others' parts.
    sourceSets["test"].kotlin.directories += listOf(
        "../tokenizers/src/test/kotlin",
        "../litert/src/test/kotlin",
        "../coroutines/src/test/kotlin",
    )

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }
}

dependencies {
    implementation(project(":litert"))
    // Tests without golden vectors: `make test-android` runs all of them.
    testImplementation(project(":coroutines"))
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
    testImplementation(libs.jna)
    testImplementation(libs.json)
}
